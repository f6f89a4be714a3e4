// A clock that stands still until a test moves it.

export class FakeClock {
  /** Milliseconds since 1970, as `Date.now()`: it runs on in sleep, and can be set. */
  wall = Date.UTC(2030, 0, 1);
  /** As `performance.now()` on machines where it stands still in sleep; it can't be set. */
  steady = 0;
  #timers = new Map();
  #count = 0;

  clocks = () => [this.steady, this.wall];

  setTimeout = (action, milliseconds) => {
    this.#timers.set((this.#count += 1), { action, due: this.steady + milliseconds });
    return this.#count;
  };

  clearTimeout = (timer) => {
    this.#timers.delete(timer);
  };

  /** Lets time pass, and everything happen that it brings. */
  async advance(milliseconds) {
    const end = this.steady + milliseconds;
    for (;;) {
      await settle();
      const next = [...this.#timers].sort(([a, x], [b, y]) => x.due - y.due || a - b)[0];
      if (!next || next[1].due > end) break;
      this.#pass(next[1].due - this.steady);
      this.#timers.delete(next[0]);
      next[1].action();
    }
    this.#pass(end - this.steady);
    await settle();
  }

  /** The machine sleeps: only the wall clock runs on. */
  sleep(milliseconds) {
    this.wall += milliseconds;
  }

  /** The wall clock is set. */
  step(milliseconds) {
    this.wall += milliseconds;
  }

  /** Waits for a promise, moving time on while nothing else happens. */
  async until(promise) {
    let isDone = false;
    const done = () => (isDone = true);
    promise.then(done, done);
    for (let turn = 0; turn < 200_000; turn += 1) {
      await settle();
      if (isDone) return promise;
      await this.advance(10);
    }
    throw new Error('That never came to an end.');
  }

  #pass(milliseconds) {
    const passed = Math.max(0, milliseconds);
    this.steady += passed;
    this.wall += passed;
  }
}

/** Lets everything happen that doesn't wait for time to pass. */
export async function settle() {
  for (let turn = 0; turn < 12; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
