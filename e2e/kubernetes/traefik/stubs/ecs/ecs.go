// Package ecs stands in for the provider of Amazon ECS: it refuses to start. The SDK that it
// wants is nearly a fifth of what Traefik compiles.
package ecs

import (
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

// ProviderName is the name of the provider.
const ProviderName = "ecs"

// Provider has no options.
type Provider struct{}

// Init refuses.
func (*Provider) Init() error { return errors.New("the provider ecs is not in this build") }

// Provide is never reached.
func (*Provider) Provide(chan<- dynamic.Message, *safe.Pool) error { return nil }
