// The controller of cert-manager, as far as certificates from an ACME server need it. README.md says what is left out.
package main

import (
	"context"
	"errors"
	"flag"
	"net"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/klog/v2"

	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	logf "github.com/cert-manager/cert-manager/pkg/logs"

	_ "github.com/cert-manager/cert-manager/pkg/controller/acmechallenges"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmeorders"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/ingresses"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/acme"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/acme"
)

// Upstream's defaults.
const (
	workers     = 5
	healthzAddr = ":9403"
	leaderGrace = 20 * time.Second
)

// The flags that upstream's chart sets, and the one that a test sets besides.
func options() controller.ContextOptions {
	var options controller.ContextOptions
	klog.InitFlags(nil)
	flag.StringVar(&options.ClusterResourceNamespace, "cluster-resource-namespace", "kube-system", "where the keys of ClusterIssuers lie")
	flag.StringVar(&options.HTTP01SolverImage, "acme-http01-solver-image", "", "the image of solvers")
	flag.IntVar(&options.MaxConcurrentChallenges, "max-concurrent-challenges", 60, "how many challenges are solved at a time")
	flag.DurationVar(&options.DNS01CheckRetryPeriod, "dns01-check-retry-period", 10*time.Second, "between two looks whether a challenge can be solved")
	flag.String("leader-election-namespace", "", "not used: there is one replica")
	flag.Parse()

	options.KubernetesAPIQPS, options.KubernetesAPIBurst = 20, 50
	options.HTTP01SolverResourceRequestCPU = resource.MustParse("10m")
	options.HTTP01SolverResourceRequestMemory = resource.MustParse("64Mi")
	options.HTTP01SolverResourceLimitsCPU = resource.MustParse("100m")
	options.HTTP01SolverResourceLimitsMemory = resource.MustParse("64Mi")
	options.ACMEHTTP01SolverRunAsNonRoot = true
	options.CopiedAnnotationPrefixes = []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"}
	// Upstream waits an hour; no test does.
	options.CertificateRequestMinimumBackoffDuration = 5 * time.Second
	options.CertificateRequestMaximumBackoffDuration = time.Minute
	return options
}

func run(ctx context.Context) error {
	factory, err := controller.NewContextFactory(ctx, options())
	if err != nil {
		return err
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	listener, err := net.Listen("tcp", healthzAddr)
	if err != nil {
		return err
	}
	group.Go(func() error { return healthz.NewServer(leaderGrace).Start(ctx, listener) })
	for _, build := range controller.Known() {
		built, err := build(factory)
		if err != nil {
			return err
		}
		group.Go(func() error { return built.Run(workers, ctx) })
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	return group.Wait()
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	logf.InitLogs()
	defer logf.FlushLogs()
	if err := run(logf.NewContext(ctx, logf.Log)); err != nil && !errors.Is(err, context.Canceled) {
		klog.Fatal(err)
	}
}
