package reports

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/pprof/profile"
)

// Drawings of one View share one parsed profile, and do not disturb each other.
func TestDrawingsShareAProfile(t *testing.T) {
	r := save(t, newRecording(), map[string]*profile.Profile{"go-threads": newProfile(stackSpecs())})
	v := NewView(r)
	first, err := v.profile("go-threads")
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range Formats() {
		for _, kind := range Kinds() {
			opts := Options{Kind: kind.Name}
			if draw(t, v, format.Name, opts) != draw(t, NewView(r), format.Name, opts) {
				t.Errorf("%s of %s differs from a drawing of a View of its own", format.Name, kind.Name)
			}
		}
	}
	if last, err := v.profile("go-threads"); err != nil || last != first {
		t.Errorf("the profile was parsed again (%v)", err)
	}
}

func TestKeepLast(t *testing.T) {
	damaged := errors.New("damaged")
	tests := []struct {
		name        string
		asked, read []string
	}{
		{"one", []string{"a", "a", "a"}, []string{"a"}},
		{"only the last", []string{"a", "b", "b", "a"}, []string{"a", "b", "a"}},
		{"no failure", []string{"bad", "bad", "a", "a"}, []string{"bad", "bad", "a"}},
	}
	for _, test := range tests {
		var read []string
		keeping := keepLast(func(model string) (*profile.Profile, error) {
			read = append(read, model)
			if model == "bad" {
				return nil, damaged
			}
			return &profile.Profile{Comments: []string{model}}, nil
		})
		for _, model := range test.asked {
			p, err := keeping(model)
			if model == "bad" && !errors.Is(err, damaged) || model != "bad" && (err != nil || p.Comments[0] != model) {
				t.Errorf("%s: %s is %v, %v", test.name, model, p, err)
			}
		}
		if !slices.Equal(read, test.read) {
			t.Errorf("%s: read %v, want %v", test.name, read, test.read)
		}
	}
}
