// Command webhook tells what the payload of its image holds. It carries the same payload as the operator.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/tektoncd/operator/pkg/payload"
)

func main() {
	listen := flag.String("listen", ":8080", "address to serve on")
	flag.Parse()
	kodata := os.Getenv("KO_DATA_PATH")
	if kodata == "" {
		kodata = "/kodata"
	}

	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { tell(w, kodata) })
	server := &http.Server{Addr: *listen, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Printf("webhook of version %s listens on %s", os.Getenv("VERSION"), *listen)
	log.Fatal(server.ListenAndServe())
}

func tell(w http.ResponseWriter, kodata string) {
	components, err := payload.Components(kodata)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "operator %s\n", os.Getenv("VERSION"))
	for _, component := range components {
		fmt.Fprintf(w, "%s %s\n", component.Name, component.Version)
	}
}
