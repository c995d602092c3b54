// Package server is the HTTP server that all programs share.
package server

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os/signal"
	"syscall"
	"time"
)

// ReadTimeout bounds how long a client may take to send its request.
const ReadTimeout = 5 * time.Second

// Text answers every request with the text that say returns.
func Text(say func() string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, say())
	})
}

// Run serves until the process is asked to end. It answers /healthz itself.
func Run(address string, mux *http.ServeMux) {
	mux.Handle("/healthz", Text(func() string { return "ok" }))
	server := &http.Server{Addr: address, Handler: mux, ReadTimeout: ReadTimeout}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		<-ctx.Done()
		_ = server.Shutdown(context.Background())
	}()
	log.Printf("listening on %s", address)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
