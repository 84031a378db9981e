#!/bin/sh
# Installs Debian's or Ubuntu's RabbitMQ as root without starting its system service: DMR runs nodes of its own.
set -e
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
apt() { apt-get -qq -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@" </dev/null; }
install() { apt install -y --no-install-recommends rabbitmq-server; }

installed rabbitmq-server && exit 0
units=rabbitmq-server.service
installed erlang-base || units="$units epmd.service epmd.socket"

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
case "\$*" in *rabbitmq-server* | *epmd*) exit 101 ;; esac
END
  chmod 755 "$policy"
fi

# Package lists may be missing (a fresh container) or name versions that are gone: then once more with new ones.
install || { apt update && install; }

# The package also asks for a start at the next boot.
if [ -d /run/systemd/system ]; then
  systemctl disable --now $units
fi
