"""gRPC's interoperability tests, by grpc-go's client: all that need neither TLS nor a login, and both
soak tests."""

import subprocess
import sys

import suite

CASES = [
    "empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
    "timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response",
    "status_code_and_message", "special_status_message", "custom_metadata", "unimplemented_method",
    "unimplemented_service",
]
SOAKS = ["rpc_soak", "channel_soak"]
SOAK = ["--soak_iterations=500", "--soak_num_threads=4", "--soak_overall_timeout_seconds=60"]


def main():
    client = suite.tool("grpc-interop-client")
    server = subprocess.Popen([suite.server_under_test()], stdout=subprocess.PIPE, text=True)
    broken = []
    try:
        port = server.stdout.readline().strip()
        for case in CASES + SOAKS:
            done = subprocess.run(
                [client, "--server_host=127.0.0.1", f"--server_port={port}", f"--test_case={case}",
                 *(SOAK if case in SOAKS else [])],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=90, check=False)
            print(f"{case}: {'passed' if done.returncode == 0 else 'FAILED'}")
            if done.returncode != 0:
                print(done.stdout[-3000:])
                broken.append(case)
    finally:
        server.terminate()
        server.wait()
    if broken:
        suite.fail(", ".join(broken))


if __name__ == "__main__":
    sys.exit(main())
