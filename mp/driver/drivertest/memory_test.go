package drivertest_test

import (
	"testing"

	"multiproc/mp/driver"
	"multiproc/mp/driver/drivertest"
)

func TestMemory(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) driver.Place {
		s := drivertest.NewStore()
		drivertest.CountWaits(t, s.Waits)
		return s.Join()
	})
}

func TestMemoryDeath(t *testing.T) {
	drivertest.RunDeath(t, func(t *testing.T) (victim, witness driver.Place, kill func()) {
		s := drivertest.NewStore()
		drivertest.CountWaits(t, s.Waits)
		dead := s.Join()
		return dead, s.Join(), dead.Kill
	})
}
