// Package router calls endpoints: it finds their instances in a discovery store, picks
// one, calls it over the best transport that both sides have, and reads the answer.
//
// # Picking
//
// Healthy instances come first, then degraded ones, then those that call themselves
// unhealthy. Among equals a Policy decides. An instance whose call failed for its own or
// its transports' fault is left alone for a while, unless there is no other.
//
// # Retries
//
// A call is made again on another instance only when it is known not to have started,
// at most Retries times, and within a budget that all calls of the router share: when
// everything fails, retries add a tenth to the load and no more. A stream that has begun
// is never repeated by itself; see Migrate for what the caller can do about one that
// breaks.
//
// # Staleness
//
// The router watches the store and goes on with the instances it knows while the store
// is away.
package router
