package recording

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// The names of files in a recording's directory.
const (
	runFile     = "run.json"
	trialsDir   = "trials"
	tempFile    = ".weft.tmp" // a write in progress, renamed when it is whole
	maxNameSize = 100         // longest name of a model, bytes
)

// nameChars are the characters of a model's name besides letters and digits of ASCII.
const nameChars = "-_.+"

// CheckModel reports whether name can be a model's name: it becomes the name of a file, a column of a
// table and a part of a benchmark's name.
func CheckModel(name string) error {
	if name == "" {
		return fmt.Errorf("model name is empty: give it one")
	}
	if len(name) > maxNameSize {
		return fmt.Errorf("model name of %d bytes: at most %d are allowed", len(name), maxNameSize)
	}
	if strings.ContainsRune(nameChars, rune(name[0])) {
		return fmt.Errorf("model name %q: begin it with a letter or a digit", name)
	}
	for _, c := range name {
		if !isNameChar(c) {
			return fmt.Errorf("model name %q: use only letters, digits and %q", name, nameChars)
		}
	}
	return nil
}

func isNameChar(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune(nameChars, c)
}

// checkPath accepts a slash-separated path that stays inside the recording's directory on every system.
func checkPath(name string) error {
	if !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, "\\:\x00") {
		return fmt.Errorf("file name %q: must be a plain path inside the recording", name)
	}
	return nil
}

func trialPath(number int) string {
	return path.Join(trialsDir, fmt.Sprintf("%03d.json.gz", number))
}

func profilePath(model string) string {
	return model + ".pb.gz"
}
