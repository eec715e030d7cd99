package origin

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// clientEnv makes the test binary a client that claims the origin at this URL, says so, and lives until its input ends.
const clientEnv = "ORIGIN_TEST_CLIENT"

func runClient(url string) int {
	if _, err := Connect(context.Background(), url); err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		return 1
	}
	os.Stdout.WriteString("claimed\n")
	io.Copy(io.Discard, os.Stdin) // a select would be a deadlock: nobody reads the claim's connection
	return 0
}

// TestOneClient: who comes second is refused as long as the first is there,
// and disturbs nothing.
func TestOneClient(t *testing.T) {
	h := serve(t, nil)
	begin(t, h, 0)
	dial(t, h).get(anyPage)
	_, err := Connect(within(t, time.Minute), h.URL())
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), h.URL()) || !strings.Contains(err.Error(), "wait until it is done, or start another origin") {
		t.Fatalf("a second client: %v", err)
	}
	stranger := &Handle{base: h.base, client: h.client, token: "another"}
	_, heldErr := stranger.Held(t.Context())
	_, statsErr := stranger.Stats(t.Context())
	for _, err := range []error{stranger.Begin(t.Context(), 0, 0), heldErr, stranger.Release(t.Context()), statsErr} {
		if !errors.Is(err, ErrBusy) {
			t.Errorf("without the claim: %v", err)
		}
	}
	if s := stats(t, h); s.Requests != 1 {
		t.Errorf("%d requests, want 1", s.Requests)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.Begin(t.Context(), 0, 0); !errors.Is(err, ErrUnreachable) {
		t.Errorf("after the claim: %v", err)
	}
	next, err := Connect(within(t, time.Minute), h.URL())
	if err != nil {
		t.Fatal(err)
	}
	begin(t, next, 0)
	if err := next.Close(); err != nil {
		t.Error(err)
	}
}

// TestKilledClient: a client that is killed gives the origin free.
func TestKilledClient(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	listens := make(chan string, 1)
	go Serve(ctx, DefaultConfig(), func(a net.Addr) { listens <- "http://" + a.String() })
	url := <-listens
	client := exec.Command(os.Args[0])
	client.Env = append(os.Environ(), clientEnv+"="+url)
	in, inErr := client.StdinPipe()
	out, err := client.StdoutPipe()
	if err := errors.Join(inErr, err); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	if n, _ := out.Read(line); string(line[:n]) != "claimed\n" {
		t.Fatalf("client: %q", line[:n])
	}
	if _, err := Connect(within(t, time.Minute), url); !errors.Is(err, ErrBusy) {
		t.Errorf("while it lives: %v", err)
	}
	client.Process.Kill()
	client.Wait()
	h, err := Connect(within(t, time.Minute), url)
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
}

// TestNotClaimed: what no client of this version does.
func TestNotClaimed(t *testing.T) {
	h := serve(t, nil)
	nameless := &Handle{base: h.base, client: h.client}
	if err := nameless.claim(t.Context()); !errors.Is(err, ErrNotOrigin) || !strings.Contains(err.Error(), tokenHeader) {
		t.Errorf("without a token: %v", err)
	}
}
