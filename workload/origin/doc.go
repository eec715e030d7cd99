// Package origin is the server that the models of package workload fetch
// their pages from, and the parent's handle on it.
//
// It answers GET /prices?from=TOWN&to=TOWN&date=YYYY-MM-DD with a page of
// bus-ticket prices that is the same for the same question, after a set
// latency, and counts what reached it: requests, requests in flight, and
// connections with their bytes exactly as on the wire. It runs in a process of
// its own ([Spawn]), or on another machine ([Serve], [Connect]).
//
// It is controlled over HTTP on the same address:
//
//	GET  /.weft/origin           who is there: Identity as JSON
//	POST /.weft/trial?hold=N     a trial begins: all counts are zero, and if
//	                             N > 0 nobody is answered until N requests wait
//	GET  /.weft/held             answers {"waiting": n} once n requests are held
//	POST /.weft/release          the held requests are answered
//	GET  /.weft/stats            the counts since the trial began: Stats as JSON
//
// Connections that carry control requests are in none of the counts; a
// controller uses connections of its own, one for each request. There is no
// protection: whoever reaches the address can control it. It listens on the
// loopback interface unless told otherwise.
package origin
