package result

import (
	"fmt"
	"os"
)

// CheckSpec refuses a spec that is not there: a run that names it could never be
// held against it. None, the empty path, is no error.
func CheckSpec(path string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", path)
	}
	return nil
}
