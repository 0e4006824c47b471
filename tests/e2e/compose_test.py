"""docker/: the compose file, the Dockerfile and what they refer to, without a Docker engine.

scripts/docker-check, which needs an engine, checks that the image builds and works.
"""

import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

import support

try:
    import yaml
except ImportError:
    print("skipped: no Python module yaml (scripts/setup --tests)")
    sys.exit(support.SKIPPED)

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
# Made when they are first mounted.
OUTPUT_FOLDERS = [ROOT / "build" / "k6"]


class ComposeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())
        cls.services = cls.compose["services"]

    def mounts(self, service):
        """[(source, target, mode)] of a service."""
        return [(*mount.split(":"), "rw")[:3] for mount in self.services[service]["volumes"]]

    def test_services(self):
        self.assertEqual(set(self.services), {"crier", "prometheus", "grafana", "k6"})
        for name, service in self.services.items():
            # Only k6 waits to be asked for: `up` starts the rest.
            self.assertEqual(service.get("profiles"), ["k6"] if name == "k6" else None)
            for other in service.get("depends_on", []):
                self.assertIn(other, self.services)

    def test_images_are_pinned_and_name_no_host(self):
        for name, service in self.services.items():
            if "build" in service:
                continue
            with self.subTest(name):
                self.assertRegex(service["image"], r"^[a-z0-9]+/[a-z0-9]+:v?\d+\.\d+\.\d+$")

    def test_crier_has_the_studys_limits_and_no_more_rights_than_it_needs(self):
        crier = self.services["crier"]
        self.assertEqual((crier["cpus"], crier["mem_limit"], crier["memswap_limit"]), (2, "2g", "2g"))
        self.assertIn("--shards=2", crier["command"])
        self.assertIs(crier["read_only"], True)
        self.assertEqual(crier["ulimits"]["nofile"], 65536)
        for name in ["crier", "prometheus", "grafana"]:
            self.assertEqual(self.services[name]["cap_drop"], ["ALL"])
            self.assertEqual(self.services[name]["security_opt"], ["no-new-privileges:true"])
            self.assertNotIn("privileged", self.services[name])

    def test_ports_are_published_on_loopback_only(self):
        for service in self.services.values():
            for port in service.get("ports", []):
                self.assertRegex(port, r"^127\.0\.0\.1:\d+:\d+$")

    def test_what_is_mounted_is_there(self):
        for name in self.services:
            for source, target, mode in self.mounts(name) if "volumes" in self.services[name] else []:
                with self.subTest(name, source=source):
                    self.assertTrue(target.startswith("/"))
                    if not source.startswith("."):
                        self.assertIn(source, self.compose["volumes"])
                        continue
                    path = (DOCKER / source).resolve()
                    if path not in OUTPUT_FOLDERS:
                        self.assertTrue(path.is_dir(), path)
                        self.assertEqual(mode, "ro")

    def mounted(self, service, path):
        """The file of this tree that a container sees at `path`."""
        for source, target, _ in self.mounts(service):
            if source.startswith(".") and path.startswith(target + "/"):
                return (DOCKER / source / path[len(target) + 1:]).resolve()
        raise AssertionError(f"{service}: nothing is mounted over {path}")

    def test_what_is_referred_to_is_there(self):
        config = next(flag for flag in self.services["prometheus"]["command"]
                      if flag.startswith("--config.file="))
        self.assertTrue(self.mounted("prometheus", config.split("=")[1]).is_file())
        environment = self.services["grafana"]["environment"]
        home = environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
        self.assertTrue(self.mounted("grafana", home).is_file())
        provider = yaml.safe_load(
            (DOCKER / "grafana/provisioning/dashboards/crier.yaml").read_text())["providers"][0]
        folder = provider["options"]["path"]
        self.assertTrue(list(self.mounted("grafana", folder + "/x").parent.glob("*.json")))

    def test_the_parts_find_each_other(self):
        config = yaml.safe_load((DOCKER / "prometheus/prometheus.yml").read_text())
        self.assertEqual(config["global"]["scrape_interval"], "1s")
        self.assertEqual(config["scrape_configs"][0]["static_configs"][0]["targets"], ["crier:8000"])
        source = yaml.safe_load((DOCKER / "grafana/provisioning/datasources/prometheus.yaml")
                                .read_text())["datasources"][0]
        self.assertEqual(source["url"], "http://prometheus:9090")
        environment = self.services["k6"]["environment"]
        self.assertEqual(environment["WS_URL"], "ws://crier:8000/ws")
        self.assertEqual(environment["GRPC_ADDRESS"], "crier:50051")
        self.assertEqual(environment["K6_PROMETHEUS_RW_SERVER_URL"],
                         "http://prometheus:9090/api/v1/write")
        self.assertIn("--web.enable-remote-write-receiver", self.services["prometheus"]["command"])

    def test_k6_runs_the_scripts_of_this_tree(self):
        k6 = self.services["k6"]
        *options, script = k6["command"]
        self.assertEqual(options, ["run", "-o", "experimental-prometheus-rw"])
        self.assertTrue(self.mounted("k6", f"{k6['working_dir']}/{script}").is_file())
        # grpc.js loads the definitions beside its own folder.
        self.assertTrue(self.mounted("k6", "/crier/proto/crier/v1/messaging.proto").is_file())
        version = k6["image"].split(":")[1]
        self.assertEqual(k6["environment"]["RUNNER"], f"k6 {version}")
        read = "".join(path.read_text() for path in (ROOT / "k6").rglob("*.js"))
        for variable in ["TIME", "USERS", "MESSAGES", "SAMPLE", "OUT", "RUNNER", "CONNECT_P95_MS",
                         "DELIVERY_P95_MS"]:
            self.assertIn(variable, k6["environment"])
            self.assertRegex(read, rf"\b{variable}\b")

    def test_prometheus_takes_its_file(self):
        subprocess.run(["promtool", "check", "config", DOCKER / "prometheus/prometheus.yml"],
                       check=True, timeout=support.DEADLINE)


class DockerfileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = (DOCKER / "Dockerfile").read_text()

    def test_both_stages_stand_on_debian_slim(self):
        bases = re.findall(r"^FROM (\S+)", self.text, re.M)
        self.assertEqual(bases, ["debian:12-slim"] * 2)

    def test_the_image_says_how_to_run_it(self):
        last = self.text.rsplit("\nFROM ", 1)[1]
        for line in [r"USER \d+:\d+", r"EXPOSE 8000 50051", r"STOPSIGNAL SIGTERM", r"HEALTHCHECK ",
                     r'ENTRYPOINT \["crierd", .*\]', r"RUN crierd --version && crier --version"]:
            self.assertRegex(last, rf"(?m)^{line}")
        self.assertNotIn("USER 0", last)

    def test_what_is_copied_is_there_and_not_ignored(self):
        lines = (ROOT / ".dockerignore").read_text().splitlines()
        self.assertIn("*", lines)
        wanted = [line[1:] for line in lines if line.startswith("!")]
        for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", self.text, re.M):
            for source in sources.split():
                self.assertTrue((ROOT / source).exists(), source)
                self.assertTrue(any(source == path or source.startswith(path + "/")
                                    for path in wanted), f"{source} is in .dockerignore")


if __name__ == "__main__":
    os.environ["PATH"] += f"{os.pathsep}{ROOT / 'build' / 'tools'}"
    support.require("promtool")
    support.main()
