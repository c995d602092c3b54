// Command operator installs the payload that its image carries.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tektoncd/operator/pkg/cluster"
	"github.com/tektoncd/operator/pkg/install"
)

// Between two attempts.
const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

func main() {
	name := flag.String("name", "lifecycle", "name of this part of the operator")
	only := flag.String("only", "", "components that are its part, separated by commas; default: all")
	except := flag.String("except", "", "components that are not")
	listen := flag.String("listen", ":8080", "address of /healthz and /readyz")
	flag.Parse()

	namespace := valueOr(os.Getenv("POD_NAMESPACE"), "openshift-operators")
	version := valueOr(os.Getenv("VERSION"), "devel")
	log.Printf("the operator starts: %s, version %s", *name, version)
	client, err := cluster.InCluster(namespace)
	if err != nil {
		log.Fatal(err)
	}
	installer := &install.Installer{
		Cluster:     client,
		Name:        *name,
		Namespace:   namespace,
		Version:     version,
		Kodata:      valueOr(os.Getenv("KO_DATA_PATH"), "/kodata"),
		Part:        part(*only, *except),
		Environment: os.Environ(),
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var ready atomic.Bool
	go serve(*listen, &ready)
	untilItWorks(ctx, installer.Run)
	ready.Store(ctx.Err() == nil)
	log.Printf("version %s is installed", version)
	<-ctx.Done()
}

// part says whether a component is named by only (or nothing is), and not by except.
func part(only, except string) func(string) bool {
	return func(component string) bool {
		named := only == "" || slices.Contains(strings.Split(only, ","), component)
		return named && !slices.Contains(strings.Split(except, ","), component)
	}
}

// untilItWorks tries again and again, with longer and longer pauses.
func untilItWorks(ctx context.Context, work func(context.Context) error) {
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, longestPause) {
		err := work(ctx)
		if err == nil {
			return
		}
		log.Printf("%v; next attempt in %s", err, pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// serve answers probes: a pod is ready when its part is installed.
func serve(address string, ready *atomic.Bool) {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			http.Error(w, "still installing", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}

func valueOr(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
