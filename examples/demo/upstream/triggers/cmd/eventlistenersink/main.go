// Command eventlistenersink receives events and answers with an id for each.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/tektoncd/triggers/pkg/server"
)

// maxEventBytes bounds the size of an event.
const maxEventBytes = 1 << 20

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", receive)
	server.Run(":8080", mux)
}

func receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEventBytes))
	if err != nil || !json.Valid(body) {
		http.Error(w, `{"errorMessage":"not JSON"}`, http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, "{\"eventID\":%q}\n", eventID(body))
}

func eventID(body []byte) string {
	return fmt.Sprintf("%x", sha256.Sum256(body))[:16]
}
