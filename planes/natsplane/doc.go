// Package natsplane is the NATS request plane: a router publishes a request to the
// subject of one worker, the worker says at once whether it takes it, and the answer
// comes back by another transport, such as the call-home plane.
//
// Subject, queue group, headers, envelope and replies are those of the released Dynamo
// runtime, so that its peers can be called and can call. Core NATS is all that is
// needed; nothing is stored, and a message that is lost is reported as a call that may
// have started.
//
// A Conn is the connection to the NATS servers, shared by any number of clients and
// servers of a process:
//
//	conn, err := natsplane.Dial(natsplane.ConnConfig{URL: "nats://localhost:4222"})
//	client := natsplane.NewClient(conn, natsplane.ClientConfig{})
//	server := natsplane.NewServer(conn, natsplane.ServerConfig{})
//
// It is a module of its own: who does not use NATS does not link its client.
package natsplane
