#!/bin/sh
# Installs one package of Debian or Ubuntu as root without starting its system service: DMR runs processes of its own.
set -e
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
apt() { apt-get -qq -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@" </dev/null; }
install() { apt install -y --no-install-recommends "$package"; }

package=$1
case "$package" in
  rabbitmq-server)
    units=rabbitmq-server.service
    installed erlang-base || units="$units epmd.service epmd.socket"
    ;;
  prometheus) units=prometheus.service ;;
  kubernetes-client) units= ;;
  *)
    echo "install-debian.sh does not know which services of \"$package\" to keep off" >&2
    exit 64
    ;;
esac
installed "$package" && exit 0

# Debian asks this file before it starts a service. It is gone with this script; should the script be killed before
# it can remove it, the file stops answering "no" as soon as the script's pid is gone.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  cat >"$policy" <<END
#!/bin/sh
kill -0 $$ 2>/dev/null || exit 0
case "\$*" in *rabbitmq-server* | *epmd* | *prometheus*) exit 101 ;; esac
END
  chmod 755 "$policy"
fi

# Package lists may be missing (a fresh container) or name versions that are gone: then once more with new ones.
install || { apt update && install; }

# The package also asks for a start at the next boot.
if [ -n "$units" ] && [ -d /run/systemd/system ]; then
  systemctl disable --now $units
fi
