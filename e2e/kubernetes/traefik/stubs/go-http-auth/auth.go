// Package auth is the part of go-http-auth that Traefik's two authentication middlewares call:
// basic authentication with bcrypt hashes. Everything else, digest included, is refused.
package auth

import (
	"fmt"
	"net/http"

	"golang.org/x/crypto/bcrypt"
)

// CheckSecret says whether password matches a bcrypt hash; it matches no other kind of hash.
func CheckSecret(password, secret string) bool {
	return bcrypt.CompareHashAndPassword([]byte(secret), []byte(password)) == nil
}

// BasicAuth asks for a password of a realm.
type BasicAuth struct {
	Realm   string
	Secrets func(user, realm string) string
}

// RequireAuth answers 401 and names the realm.
func (a *BasicAuth) RequireAuth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q", a.Realm))
	http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
}

// DigestAuth lets nobody in.
type DigestAuth struct{}

// NewDigestAuthenticator ignores the secrets, since DigestAuth lets nobody in.
func NewDigestAuthenticator(string, func(user, realm string) string) *DigestAuth {
	return &DigestAuth{}
}

// CheckAuth never finds a user.
func (*DigestAuth) CheckAuth(*http.Request) (string, *string) { return "", nil }

// DigestAuthParams never finds a parameter.
func DigestAuthParams(string) map[string]string { return nil }

// RequireAuth answers 401.
func (*DigestAuth) RequireAuth(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "digest authentication is not in this build", http.StatusUnauthorized)
}

// RequireAuthStale answers as RequireAuth does.
func (a *DigestAuth) RequireAuthStale(w http.ResponseWriter, r *http.Request) { a.RequireAuth(w, r) }
