// Command webhook answers admission reviews: it admits everything that has a name.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"net/http"

	"github.com/tektoncd/pipeline/pkg/product"
	"github.com/tektoncd/pipeline/pkg/revision"
	"github.com/tektoncd/pipeline/pkg/server"
)

type review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *request  `json:"request,omitempty"`
	Response   *response `json:"response,omitempty"`
}

type request struct {
	UID    string `json:"uid"`
	Object struct {
		Metadata struct {
			Name         string `json:"name"`
			GenerateName string `json:"generateName"`
		} `json:"metadata"`
	} `json:"object"`
}

type response struct {
	UID     string `json:"uid"`
	Allowed bool   `json:"allowed"`
}

func main() {
	listen := flag.String("listen", ":8080", "address to serve on")
	source := flag.String("source", "", "where this program comes from, shown as it is")
	flag.Parse()

	mux := http.NewServeMux()
	mux.HandleFunc("/validate", validate)
	mux.Handle("/revision", server.Text(revision.Read))
	mux.Handle("/source", server.Text(func() string { return *source }))
	mux.Handle("/", server.Text(func() string { return "Webhook of " + product.Name + "." }))
	server.Run(*listen, mux)
}

func validate(w http.ResponseWriter, r *http.Request) {
	var asked review
	if err := json.NewDecoder(io.LimitReader(r.Body, 3<<20)).Decode(&asked); err != nil || asked.Request == nil {
		http.Error(w, "not an admission review", http.StatusBadRequest)
		return
	}
	metadata := asked.Request.Object.Metadata
	answer := review{
		APIVersion: asked.APIVersion,
		Kind:       asked.Kind,
		Response:   &response{UID: asked.Request.UID, Allowed: metadata.Name != "" || metadata.GenerateName != ""},
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}
