package recording

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"

	"github.com/google/pprof/profile"
)

func encodeTrial(t *Trial) ([]byte, error) {
	data, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	return compress(data)
}

// encodeProfile compresses by itself: Profile.Write does not tell when its last write went wrong.
func encodeProfile(p *profile.Profile) ([]byte, error) {
	if err := p.CheckValid(); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := p.WriteUncompressed(&buf); err != nil {
		return nil, err
	}
	if err := checkSize(buf.Bytes()); err != nil {
		return nil, fmt.Errorf("%w: profile fewer trials", err)
	}
	return compress(buf.Bytes())
}

func compress(data []byte) ([]byte, error) {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(data); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
