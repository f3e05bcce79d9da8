package client

import (
	"net"
	"net/http"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	// A quiet connection is asked for a sign of life after this long. The server's own heartbeat on Attach comes every
	// 5 s, so a worker's connection is asked only when something is wrong.
	pingAfter = 6 * time.Second
	// A connection that does not answer is given up: 10 s after the other end vanished without a word, at the latest.
	pingTimeout = 4 * time.Second
)

// NewHTTPClient returns the HTTP client that [New] and the worker use by default: HTTP/2 for http:// (with prior knowledge)
// and for https://, one connection for all calls and streams, given up when its other end does not answer pings.
//
// It does not use HTTP_PROXY: cleartext HTTP/2 does not pass through such a proxy.
func NewHTTPClient() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		Protocols:           protocols,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}}
}
