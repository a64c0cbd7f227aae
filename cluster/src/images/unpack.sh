# Runs in mount and pid namespaces of its own. ROOM is an empty folder, IMAGES a list of tars, one a line.
# Leaves in ROOM/root what containerd keeps of these images once they are unpacked.
mount -t tmpfs tmpfs /run # a socket's path must be short
cat >"$ROOM/containerd.toml" <<END
version = 2
root = "$ROOM/root"
state = "/run/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "/run/containerd.sock"
END
containerd --config "$ROOM/containerd.toml" >"$ROOM/log" 2>&1 &
containerd=$!
until [ -S /run/containerd.sock ]; do
	kill -0 $containerd 2>/dev/null || { tail -n 5 "$ROOM/log"; exit 1; }
	sleep 0.05
done
import='ctr --address /run/containerd.sock --namespace k8s.io images import --digests "$1" >/dev/null'
# The first alone: most images share its lowest layer, and would wait for it.
echo "$IMAGES" | head -n 1 | xargs -d '\n' -n 1 sh -euc "$import" import
echo "$IMAGES" | tail -n +2 | xargs -r -d '\n' -P 2 -n 1 sh -euc "$import" import
kill $containerd
wait $containerd || true
