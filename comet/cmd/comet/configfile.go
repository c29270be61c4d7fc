package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/alecthomas/kong"
)

// maxConfigBytes bounds a file that is no configuration.
const maxConfigBytes = 1 << 20

// readConfigFile reads a file of settings: TOML whose keys are the flags' names.
// A list is one with commas, as on the command line. Every key must be known.
func readConfigFile(path string, flags []*kong.Flag) (map[string]string, error) {
	text, err := readBounded(path, maxConfigBytes)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	var table map[string]any
	meta, err := toml.Decode(text, &table)
	if err != nil {
		return nil, fmt.Errorf("--config: %s is not TOML: %w", path, err)
	}
	var known []string
	for _, f := range flags {
		if isSetting(f) && f.Name != "config" && !f.Hidden {
			known = append(known, f.Name)
		}
	}
	values := map[string]string{}
	var failures []error
	seen := map[string]bool{}
	for _, k := range meta.Keys() { // in the order of the file, tables with their parts
		key := k[0]
		if seen[key] {
			continue
		}
		seen[key] = true
		if !slices.Contains(known, key) && !isHidden(key, flags) {
			failures = append(failures, fmt.Errorf("%s: there is no setting %q; the nearest is %q", path, key, nearest(key, known)))
			continue
		}
		value, err := settingText(table[key])
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %s: %w", path, key, err))
		}
		values[key] = value
	}
	return values, errors.Join(failures...)
}

// isHidden says whether a key is a flag for tests, which is known but never proposed.
func isHidden(key string, flags []*kong.Flag) bool {
	return slices.ContainsFunc(flags, func(f *kong.Flag) bool { return f.Hidden && f.Name == key })
}

// readBounded reads a file of at most most bytes.
func readBounded(path string, most int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return string(text), err
}

// settingText writes a value of TOML as the command line would have it.
func settingText(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case []any:
		var parts []string
		for _, one := range v {
			part, ok := one.(string)
			if !ok {
				return "", fmt.Errorf("a list holds strings, not %v", one)
			}
			parts = append(parts, part)
		}
		return strings.Join(parts, ","), nil
	}
	return "", fmt.Errorf("want a string, a whole number, true or false, or a list of strings")
}

// nearest is the name that differs least from a mistyped one.
func nearest(name string, names []string) string {
	best, least := "", -1
	for _, n := range names {
		if d := distance(name, n); least < 0 || d < least {
			best, least = n, d
		}
	}
	return best
}

// distance counts the bytes to insert, remove or replace to make a of b
// (Levenshtein); _ and - are the same.
func distance(a, b string) int {
	a, b = strings.ReplaceAll(a, "_", "-"), strings.ReplaceAll(b, "_", "-")
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
