package bpf

import (
	"io"
	"net"
	"testing"
	"time"
)

// Pauses of playParts, in its order.
const (
	beforeRest  = 40 * time.Millisecond // between the two sends of its first question
	beforeReply = 60 * time.Millisecond // the server's
	beforeClose = 50 * time.Millisecond // after its second question, which nobody answers
)

// partsTruth is how long it took by the program's own clock: from before what began it until after what ended it, ns.
// Asked is when the first question was sent whole.
type partsTruth struct{ Request, Reply, Close, Asked int64 }

// playParts asks the server at args[0] a question by two sends, and once it has the reply another one, to hang up on.
func playParts(s stage, args []string) error {
	if err := s.pause("ready"); err != nil {
		return err
	}
	c, err := net.Dial("tcp4", args[0])
	if err != nil {
		return err
	}
	var truth partsTruth
	for _, step := range []struct {
		send  string
		pause time.Duration
		then  func() error
		took  *int64
	}{
		{"que", beforeRest, func() error { return nil }, &truth.Request},
		{"stion", 0, func() error { _, err := io.ReadFull(c, make([]byte, len("answer"))); return err }, &truth.Reply},
		{"question", beforeClose, c.Close, &truth.Close},
	} {
		*step.took -= now()
		if _, err := io.WriteString(c, step.send); err != nil {
			return err
		}
		if step.took == &truth.Reply {
			truth.Asked = now()
		}
		time.Sleep(step.pause)
		if err := step.then(); err != nil {
			return err
		}
		*step.took += now()
	}
	truth.Request += truth.Reply // the second send is within it
	return s.end(truth)
}

// The time in which a reply is awaited is charged piece by piece, by what ended each, and is the connection's own sum.
func TestReplyIsAwaitedPieceByPiece(t *testing.T) {
	s := serve(t, "tcp4", "127.0.0.1:0")
	answered := make(chan int64, 1) // when
	go func() {
		c := <-s.accepted
		if _, err := io.ReadFull(c, make([]byte, len("question"))); err == nil {
			time.Sleep(beforeReply)
			answered <- now()
			io.WriteString(c, "answer")
		}
	}()
	w := watch(t, Options{Stacks: true}, "parts", s.listener.Addr().String())
	w.Say("go")
	var truth partsTruth
	w.Decode(&truth)
	// The server may have the question before the send of it is over, in which the program can lose the CPU: it is not
	// the server's pause that a reply is awaited for at least.
	replied := <-answered - truth.Asked
	w.gaugeReaches(GaugeAwaiting, 0)
	if gauge := w.gauge(GaugeAwaiting); gauge.Rises != 2 || gauge.Falls != 2 || gauge.Peak != 1 {
		t.Errorf("gauge %+v, want two rises and falls, a peak of 1", gauge)
	}
	connections := w.connections()
	if len(connections) != 1 || connections[0].Replies != 1 {
		t.Fatalf("connections %+v, want one with a reply", connections)
	}
	stacks, weights, err := w.probes.Stacks()
	if err != nil {
		t.Fatal(err)
	}
	pieces, sum := map[Awaited]Weight{}, uint64(0)
	for key, weight := range weights {
		if key.Kind != StackReplyWait {
			continue
		}
		if len(stacks[key.Stack].User) == 0 || len(stacks[key.Stack].Kernel) == 0 {
			t.Errorf("%+v has the stack %+v, want the kernel's and the program's", key, stacks[key.Stack])
		}
		pieces[Awaited(key.Wait)] = weight
		sum += weight.Amount
	}
	for _, p := range []struct {
		what        string
		piece       Weight
		replies     uint64
		least, most int64
	}{
		{"request", pieces[AwaitedRequest], 0, int64(beforeRest), truth.Request},
		{"reply", pieces[AwaitedReply], 1, replied, truth.Reply},
		{"close", pieces[AwaitedClose], 0, int64(beforeClose), truth.Close},
	} {
		if ns := int64(p.piece.Amount); p.piece.Count != p.replies || ns < p.least || ns > p.most {
			t.Errorf("%s: %+v, want %d replies and %d to %d ns", p.what, p.piece, p.replies, p.least, p.most)
		}
	}
	if sum != connections[0].AwaitedNs {
		t.Errorf("%d ns by stack, the connection has %d", sum, connections[0].AwaitedNs)
	}
	w.noLoss()
}
