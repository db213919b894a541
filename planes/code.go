package planes

import "github.com/wireplane/wireplane/codec/muxwire"

// Code says why a call or a connection ended. Its values are those of the wire
// (spec/mux.wire, enum Code) and never change.
type Code = muxwire.Code

// The codes of spec/mux.wire.
const (
	CodeOK              = muxwire.CodeOk
	CodeCancelled       = muxwire.CodeCancelled
	CodeDeadline        = muxwire.CodeDeadline
	CodeRefused         = muxwire.CodeRefused
	CodeOverloaded      = muxwire.CodeOverloaded
	CodeDraining        = muxwire.CodeDraining
	CodeNotFound        = muxwire.CodeNotFound
	CodeUnauthenticated = muxwire.CodeUnauthenticated
	CodeDenied          = muxwire.CodeDenied
	CodeTooLarge        = muxwire.CodeTooLarge
	CodeSlowConsumer    = muxwire.CodeSlowConsumer
	CodeProtocol        = muxwire.CodeProtocol
	CodeFlood           = muxwire.CodeFlood
	CodeChecksum        = muxwire.CodeChecksum
	CodeTransport       = muxwire.CodeTransport
	CodePeerLost        = muxwire.CodePeerLost
	CodeEpoch           = muxwire.CodeEpoch
	CodeHandler         = muxwire.CodeHandler
	CodeInternal        = muxwire.CodeInternal
	CodeUnsupported     = muxwire.CodeUnsupported
)

// Origin names the side that made an error.
type Origin = muxwire.Origin

// The origins of spec/mux.wire.
const (
	OriginLocal = muxwire.OriginLocal
	OriginPeer  = muxwire.OriginPeer
	OriginProxy = muxwire.OriginProxy
	OriginApp   = muxwire.OriginApp
)

// Phase says how far a call had come when it failed.
type Phase = muxwire.Phase

// The phases of spec/mux.wire. Only PhaseNotStarted promises that no handler ran.
const (
	PhaseNotStarted = muxwire.PhaseNotStarted
	PhaseMaybe      = muxwire.PhaseMaybe
	PhaseStarted    = muxwire.PhaseStarted
)

// Class is the scheduling class of a stream.
type Class = muxwire.Class

// The classes of spec/mux.wire.
const (
	ClassInteractive = muxwire.ClassInteractive
	ClassBulk        = muxwire.ClassBulk
)
