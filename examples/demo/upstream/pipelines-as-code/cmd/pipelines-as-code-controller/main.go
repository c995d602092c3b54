// Command pipelines-as-code-controller listens to what happens in git repositories.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	listen := flag.String("listen", ":8080", "address to serve on")
	flag.Parse()

	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, react(r.Header.Get("X-GitHub-Event"))) })
	server := &http.Server{Addr: *listen, Handler: mux, ReadTimeout: 5 * time.Second}
	log.Printf("pipelines as code %s listens on %s", os.Getenv("PAC_VERSION"), *listen)
	log.Fatal(server.ListenAndServe())
}
