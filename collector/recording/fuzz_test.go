package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
)

// What a parser accepts must be valid, and must mean the same after it was written again.

func FuzzParseRun(f *testing.F) {
	data, err := json.Marshal(newRun())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"plan":{"models":["a"]},"trials":[{"number":1,"model":"a","kind":"held","file":"trials/1"}]}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"files":["../x"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		run, err := parseRun(data)
		if err != nil {
			checkSentinel(t, err)
			return
		}
		again, err := json.Marshal(run)
		if err != nil {
			t.Skip("a date that JSON cannot hold") // the year may be beyond 9999 after parsing a zone
		}
		if _, err := parseRun(again); err != nil {
			t.Errorf("written again: %v", err)
		}
	})
}

func FuzzParseTrial(f *testing.F) {
	data, err := json.Marshal(newTrial(1, "go-threads"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"number":1,"model":"a","kind":"control","curves":null,"lost":null}`))
	f.Add([]byte(`{"number":1,"model":"a","kind":"held","snapshots":{"gate":{"rss_bytes":-1}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		trial, err := parseTrial(data)
		if err != nil {
			checkSentinel(t, err)
			return
		}
		again, err := json.Marshal(trial)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseTrial(again); err != nil {
			t.Errorf("written again: %v", err)
		}
	})
}

func FuzzParseProfile(f *testing.F) {
	var buf bytes.Buffer
	if err := newProfile().WriteUncompressed(&buf); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Add([]byte{0x12, 0})
	f.Add([]byte{0x12, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parseProfile(data)
		if err != nil {
			checkSentinel(t, err)
			return
		}
		if err := p.CheckValid(); err != nil {
			t.Error(err)
		}
	})
}

func checkSentinel(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrNotRecording) {
		t.Errorf("no sentinel: %v", err)
	}
}
