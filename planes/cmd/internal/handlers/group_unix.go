//go:build unix

package handlers

import (
	"os/exec"
	"syscall"
)

// ownGroup makes cmd the head of a process group, which is killed as a whole: what a
// shell has started does not outlive the call.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
