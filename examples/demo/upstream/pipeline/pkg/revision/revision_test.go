package revision

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReadReturnsWhatTheBuildLeft(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("KO_DATA_PATH", folder)
	if got := Read(); got != "unknown" {
		t.Fatalf("without HEAD: %q", got)
	}
	if err := os.WriteFile(filepath.Join(folder, "HEAD"), []byte("abc\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := Read(); got != "abc" {
		t.Fatalf("with HEAD: %q", got)
	}
}
