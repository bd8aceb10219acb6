package engine

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/windows"

	"ipcguard/internal/apply/private"
	"ipcguard/internal/apply/program"
	"ipcguard/internal/format/registry"
)

// detach starts a process without a console, in its own process group.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		HideWindow:    true,
		CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP,
	}
}

func taskName(id string) string { return "ipcguard-" + id }

// task returns the guard's scheduled task: it runs as SYSTEM, starts now and at every boot until it deletes itself,
// also on battery and without a time limit. A task that only schtasks' switches define would stop on battery.
func task(exe string, args []string, id string) string {
	var line []string
	for _, a := range args {
		line = append(line, syscall.EscapeArg(a))
	}
	text := func(s string) string {
		var b bytes.Buffer
		_ = xml.EscapeText(&b, []byte(s)) // a buffer accepts every write
		return b.String()
	}
	return `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>` + text("ipcguard takes "+id+" back unless it is confirmed") + `</Description></RegistrationInfo>
  <Triggers><BootTrigger><Enabled>true</Enabled></BootTrigger></Triggers>
  <Principals><Principal id="Author"><UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel></Principal></Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>100</Count></RestartOnFailure>
    <Enabled>true</Enabled>
  </Settings>
  <Actions Context="Author"><Exec><Command>` + text(exe) + `</Command><Arguments>` + text(strings.Join(line, " ")) + `</Arguments></Exec></Actions>
</Task>
`
}

func guardService(ctx context.Context, exe string, args []string, j *Journal) (string, error) {
	path := filepath.Join(filepath.Dir(filepath.Dir(j.Dir)), "guard", j.ID+".xml")
	text := append([]byte{0xFF, 0xFE}, registry.EncodeUTF16(strings.ReplaceAll(task(exe, args, j.ID), "\n", "\r\n"))...)
	if err := private.Create(path, text); err != nil {
		return "", err
	}
	defer os.Remove(path)
	name := taskName(j.ID)
	for _, args := range [][]string{{"/create", "/tn", name, "/xml", path, "/f"}, {"/run", "/tn", name}} {
		if out, err := program.Run(ctx, "schtasks.exe", args...); err != nil {
			return "", errors.Join(fmt.Errorf("schtasks %s: %w: %s", args[0], err, strings.TrimSpace(out)),
				removeService(ctx, j.ID))
		}
	}
	return "the scheduled task " + name + ", which outlives this session and a reboot", nil
}

func removeService(ctx context.Context, id string) error {
	name := taskName(id)
	if out, err := program.Run(ctx, "schtasks.exe", "/query", "/tn", name); err != nil || !strings.Contains(out, name) {
		return nil // there is no task
	}
	out, err := program.Run(ctx, "schtasks.exe", "/delete", "/tn", name, "/f")
	if err != nil {
		return fmt.Errorf("schtasks /delete: %w: %s", err, strings.TrimSpace(out))
	}
	return nil
}
