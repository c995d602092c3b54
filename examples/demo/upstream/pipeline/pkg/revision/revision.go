// Package revision tells which commit a program was built from.
package revision

import (
	"os"
	"path/filepath"
	"strings"
)

// Read returns the commit that the image build left in KO_DATA_PATH/HEAD, or "unknown".
func Read() string {
	content, err := os.ReadFile(filepath.Join(os.Getenv("KO_DATA_PATH"), "HEAD"))
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(content))
}
