// Package ext is where Traefik's makers put further options of theirs; upstream it is empty too.
package ext

// HTTP has no further options.
type HTTP struct{}

// Router has no further options.
type Router struct{}
