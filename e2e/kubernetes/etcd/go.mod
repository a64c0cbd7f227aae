module commonscloud.coop/e2e/kubernetes/etcd

go 1.24.0

tool go.etcd.io/etcd/server/v3

require go.etcd.io/etcd/server/v3 v3.6.6
