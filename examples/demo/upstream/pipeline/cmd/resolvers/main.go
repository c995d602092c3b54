// Command resolvers answers where a remote pipeline or task is to be found.
package main

import (
	"flag"
	"fmt"
	"net/http"

	"github.com/tektoncd/pipeline/pkg/product"
	"github.com/tektoncd/pipeline/pkg/revision"
	"github.com/tektoncd/pipeline/pkg/server"
)

func main() {
	listen := flag.String("listen", ":8080", "address to serve on")
	flag.Parse()

	mux := http.NewServeMux()
	mux.HandleFunc("/resolve/{resolver}/{name}", resolve)
	mux.Handle("/revision", server.Text(revision.Read))
	mux.Handle("/", server.Text(func() string { return "Resolvers of " + product.Name + "." }))
	server.Run(*listen, mux)
}

func resolve(w http.ResponseWriter, r *http.Request) {
	switch resolver := r.PathValue("resolver"); resolver {
	case "git", "hub", "cluster":
		fmt.Fprintf(w, "%s://%s\n", resolver, r.PathValue("name"))
	default:
		http.Error(w, "no resolver "+resolver, http.StatusNotFound)
	}
}
