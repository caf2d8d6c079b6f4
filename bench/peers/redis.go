package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"multiproc/bench/internal/harness"
)

// Redis runs gopeer against a redis-server, which is installed if it is missing and that can be done.
func (k *Kit) Redis(callers int) harness.Run {
	return func(ctx context.Context, n int) (float64, error) {
		if err := k.redis(ctx); err != nil {
			return 0, err
		}
		return k.Go("redis", "calls", callers)(ctx, n)
	}
}

// redis sees to it that there is a redis-server. Debian's package is installed where this user may do that.
func (k *Kit) redis(ctx context.Context) error {
	if why, ok := k.skip["redis"]; ok {
		return fmt.Errorf("%w: %s", harness.ErrAbsent, why)
	}
	if _, err := exec.LookPath("redis-server"); err == nil {
		return nil
	}
	if apt, err := exec.LookPath("apt-get"); err == nil && os.Getuid() == 0 {
		cmd := exec.CommandContext(ctx, "sh", "-c", apt+" update -qq && "+apt+" install -y -qq --no-install-recommends redis-server")
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: redis-server cannot be installed: %s", harness.ErrAbsent, lastLine(out))
		}
	}
	_, err := k.tool("redis", "redis-server")
	return err
}
