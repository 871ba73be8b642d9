# Sourced by the launcher and by the scripts beside this file, with `home` set to the checkout.
# Makes sure that the dependencies are installed, then sets `node` (the runtime) and `node_options`.

stamp=$home/node_modules/.setup-stamp
if [ ! -e "$stamp" ] || [ "$stamp" -ot "$home/package-lock.json" ]; then
  "$home/scripts/setup"
fi

node=$home/node_modules/.bin/node
node_options=
if [ ! -x "$node" ]; then
  # No runtime comes with the dependencies for this processor or system: the machine's own must do.
  node=$(command -v node || echo node)
  major=$("$node" --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/') || major=0
  if [ "${major:-0}" -lt 24 ]; then
    echo "Valkeeper needs Node 24 or later here; found: $("$node" --version 2>/dev/null || echo none)." >&2
    echo "Install Node 24 or later (https://nodejs.org/en/download) and try again." >&2
    exit 6
  fi
  # Node 24 calls its SQLite experimental; 26 no longer does.
  [ "$major" -ge 26 ] || node_options=--disable-warning=ExperimentalWarning
fi

# Compiled code is kept between starts: a warm start takes a third of the time.
export NODE_COMPILE_CACHE="$home/node_modules/.cache/node-compile"
