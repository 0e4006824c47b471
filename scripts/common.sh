# Sourced by the scripts here: where things are, and how they are built.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# Compiled files are found again from another clone of this repository.
export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1

note() { printf '== %s\n' "$*" >&2; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# For ninja, of whoever sources this.
ninja_options=()

# build PRESET [CMAKE_OPTION...] [-- TARGET...]: configures and builds in build/PRESET. Without
# targets: everything.
build() {
  local preset="$1" options=()
  shift
  while (($#)) && [[ "$1" != -- ]]; do
    options+=("$1")
    shift
  done
  (($#)) && shift
  # Again only where CMake itself would not: a first time, or one that did not end well.
  if [[ ! -e "$root/build/$preset/build.ninja" ]] || ((${#options[@]})); then
    (cd "$root" && cmake --preset "$preset" "${options[@]}") || return
  fi
  ninja -C "$root/build/$preset" "${ninja_options[@]}" "$@"
}

passed=0 failed=0 skipped=0

# run_tests PRESET [LABEL...]: runs the tests of build/PRESET that carry one of the labels, without
# labels all, and adds to passed, failed and skipped. Fails where a test fails or there is none.
run_tests() {
  local preset="$1" select=() results log status=0
  shift
  if (($#)); then
    select=(-L "^($(IFS='|' && echo "$*"))\$")
  fi
  log="$root/build/$preset/Testing/last-run.txt"
  mkdir -p "${log%/*}"
  ctest --test-dir "$root/build/$preset" --output-on-failure --no-tests=error --parallel 2 \
    "${select[@]}" 2>&1 | tee "$log" || status=$?

  # Lines such as: " 3/10 Test  #7: Suite.Name ..........***Skipped   0.01 sec"
  local line='^ *[0-9]+/[0-9]+ Test +#[0-9]+: '
  results="$(grep -E "$line" "$log" || true)"
  local all ok left_out
  all="$(grep -c . <<<"$results" || true)"
  ok="$(grep -cE ' Passed +[0-9.]+ sec' <<<"$results" || true)"
  left_out="$(grep -cE '\*\*\*Skipped' <<<"$results" || true)"
  passed=$((passed + ok))
  skipped=$((skipped + left_out))
  failed=$((failed + all - ok - left_out))
  if ((all == 0)); then
    note "no test to run${select:+ with such a label}; there are:" \
      $(ctest --test-dir "$root/build/$preset" --print-labels 2>/dev/null | sed -nE 's/^  //p')
  fi
  if ((left_out > 0)) && [[ "${CI:-}" == true ]]; then
    note "$left_out skipped: under CI=true every test has to run"
    status=1
  fi
  return "$status"
}

# The counts in the form that people and machines read, alone on a line.
summary() {
  local words="$passed passed, $failed failed"
  ((skipped == 0)) || words+=", $skipped skipped"
  printf '%s\n' "$words"
}
