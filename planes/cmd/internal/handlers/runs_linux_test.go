package handlers_test

import (
	"fmt"
	"os"
	"strings"
)

// runs reports whether a process is there and no zombie, which some reaper keeps.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
