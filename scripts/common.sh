# The scripts here source this file. It says where things are and how they are built.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# With this, ccache finds compiled files from another clone of this repository.
export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1

note() { printf '== %s\n' "$*" >&2; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# usage: prints the comment that the script begins with.
usage() {
  local line
  while IFS= read -r line && [[ "$line" == '#'* ]]; do
    line="${line#\#}"
    [[ "$line" == '!'* ]] || printf '%s\n' "${line# }"
  done <"$0"
}

# help_wanted ARGUMENT...: whether --help or -h is among them.
help_wanted() {
  local argument
  for argument in "$@"; do
    [[ "$argument" != --help && "$argument" != -h ]] || return 0
  done
  return 1
}

# help_if_wanted ARGUMENT...: prints the usage and ends, if that is what the arguments ask for. A
# script calls it before it does anything else.
help_if_wanted() {
  if help_wanted "$@"; then
    usage
    exit 0
  fi
}

# unknown_argument ARGUMENT [WHAT_WOULD_BE_RIGHT]: refuses it.
unknown_argument() { die "unknown argument '$1'${2:+; $2}; see --help"; }

# For ninja in the script that sources this.
ninja_options=()

# configure PRESET [CMAKE_OPTION...]: with options always, else only where CMake itself would not: a
# first time, or one that did not end well.
configure() {
  local preset="$1"
  shift
  if (($#)) || [[ ! -e "$root/build/$preset/build.ninja" ]]; then
    (cd "$root" && cmake --preset "$preset" "$@")
  fi
}

# build_programs: the server and the tool, in build/release. A new folder is configured without the
# tests, because they need more packages; a folder that has them keeps them.
build_programs() {
  local options=()
  [[ -e "$root/build/release/build.ninja" ]] || options=(-DCRIER_TESTS=OFF)
  configure release "${options[@]}" || return
  ninja -C "$root/build/release" "${ninja_options[@]}" crierd crier
}

# build PRESET [CMAKE_OPTION...] [-- TARGET...]: configures and builds in build/PRESET, which has the
# tests from then on. Without targets: everything.
build() {
  local preset="$1" options=()
  shift
  while (($#)) && [[ "$1" != -- ]]; do
    options+=("$1")
    shift
  done
  (($#)) && shift
  grep -qs '^CRIER_TESTS:BOOL=ON$' "$root/build/$preset/CMakeCache.txt" || options+=(-DCRIER_TESTS=ON)
  configure "$preset" "${options[@]}" || return
  ninja -C "$root/build/$preset" "${ninja_options[@]}" "$@"
}

passed=0 failed=0 skipped=0
failures=() unsteady=() # "PRESET: TEST"

# skip_reasons LOG: for each test that is named on standard input, a line each, what it printed as its
# reason to skip. LOG: CTest's, with the output of all.
skip_reasons() {
  awk '
    NR == FNR { asked[$0] = 1; next }
    /^[0-9]+\/[0-9]+ Test: / {
      name = $0
      sub(/^[^:]*: /, "", name)
      words = ""
      in_output = in_reason = 0
    }
    /^Output:$/ { in_output = name in asked }
    !in_output { next }
    /^\[ *SKIPPED *\]/ { in_reason = 0 }
    (in_reason || /^skipped: /) && !/^ *$/ {
      line = $0
      sub(/^skipped: /, "", line)
      words = words (words == "" ? "" : " ") line
    }
    /: Skipped$/ { in_reason = 1 } # of GoogleTest: the reason follows
    /^<end of output>$/ { printf "skipped: %s: %s\n", name, words == "" ? "it gave no reason" : words }
  ' - "$1"
}

# A line of CTest's such as: " 3/10 Test  #7: Suite.Name ..........***Skipped   0.01 sec"
ctest_line='^ *[0-9]+/[0-9]+ Test +#[0-9]+: '

# names_of STATE: of the tests with this state ("passed", "skipped" or "failed") in CTest's output
# on standard input, a line each.
names_of() {
  local select=(grep -E ' Passed +[0-9.]+ sec')
  [[ "$1" != skipped ]] || select=(grep -E '\*\*\*Skipped')
  [[ "$1" != failed ]] || select=(grep -vE ' Passed +[0-9.]+ sec|\*\*\*Skipped')
  { grep -E "$ctest_line" || true; } | { "${select[@]}" || true; } |
    sed -E -e "s/${ctest_line//\//\\/}//" -e 's/ +\.+.*//; s/ +(Passed|\*\*\*).*//'
}

# A machine of CI is shared: a test that failed while others ran beside it may say nothing of the change.
# So with CI=true a few that failed are run once more, alone; each that passes then is named as unsteady.
most_run_again=10

# run_tests PRESET [LABEL...]: runs the tests of build/PRESET that carry one of the labels, without
# labels all, and adds to passed, failed, skipped and unsteady. Says why tests were skipped. Fails where a
# test fails or there is none.
run_tests() {
  local preset="$1" select=() log again status=0
  shift
  if (($#)); then
    select=(-L "^($(IFS='|' && echo "$*"))\$")
  fi
  local folder="$root/build/$preset"
  log="$folder/Testing/last-run.txt"
  mkdir -p "${log%/*}"
  # Most tests wait for most of their time. Those with sanitizers work more.
  local at_once=$((2 * $(nproc)))
  [[ "$preset" == release ]] || at_once=$(($(nproc) + 1))
  ctest --test-dir "$folder" --output-on-failure --no-tests=error --parallel "$at_once" \
    "${select[@]}" 2>&1 | tee "$log" || status=$?

  local ok left_out broken
  mapfile -t ok < <(names_of passed <"$log")
  mapfile -t left_out < <(names_of skipped <"$log")
  mapfile -t broken < <(names_of failed <"$log")
  if ((${#ok[@]} + ${#left_out[@]} + ${#broken[@]} == 0)); then
    note "no test to run${select:+ with such a label}; there are:" \
      $(ctest --test-dir "$folder" --print-labels 2>/dev/null | sed -nE 's/^  //p')
  fi
  if ((${#left_out[@]})); then
    printf '%s\n' "${left_out[@]}" | skip_reasons "$folder/Testing/Temporary/LastTest.log" >&2
  fi

  if [[ "${CI:-}" == true ]] && ((${#broken[@]} > 0 && ${#broken[@]} <= most_run_again)); then
    note "once more, alone: ${broken[*]}"
    again="$folder/Testing/run-again.txt"
    ctest --test-dir "$folder" --output-on-failure --rerun-failed 2>&1 | tee "$again" && status=0
    mapfile -t broken < <(names_of failed <"$again")
    local name
    while IFS= read -r name; do
      ok+=("$name")
      unsteady+=("$preset: $name")
    done < <(names_of passed <"$again")
  fi

  passed=$((passed + ${#ok[@]}))
  skipped=$((skipped + ${#left_out[@]}))
  failed=$((failed + ${#broken[@]}))
  ((${#broken[@]} == 0)) || failures+=("${broken[@]/#/$preset: }")
  if ((${#left_out[@]})) && [[ "${CI:-}" == true ]]; then
    note "${#left_out[@]} skipped: under CI=true every test has to run"
    status=1
  fi
  return "$status"
}

# The tests that failed or were unsteady, a line each, and then the counts on a line of their own, for people and machines.
summary() {
  ((${#unsteady[@]} == 0)) || printf 'unsteady: %s (failed, and passed when run again alone)\n' "${unsteady[@]}"
  ((${#failures[@]} == 0)) || printf 'failed: %s\n' "${failures[@]}"
  local words="$passed passed, $failed failed"
  ((skipped == 0)) || words+=", $skipped skipped"
  printf '%s\n' "$words"
}
