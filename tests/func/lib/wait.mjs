// Waiting for what a client's callbacks bring.
const WAIT_MS = 15000;

/** Gathers items from callbacks: `add` takes one, `all` a list, `fail` an error that ends the waiting. */
export function collect() {
  const c = { items: [], error: undefined, wake: () => {} };
  c.add = (x) => {
    c.items.push(x);
    c.wake();
  };
  c.all = (list) => list.forEach(c.add);
  c.fail = (e) => {
    c.error = e;
    c.wake();
  };
  /** Runs `step` again after each item, or after 25 ms without one, until it gives true. */
  c.until = async (step) => {
    const end = performance.now() + WAIT_MS;
    for (;;) {
      if (c.error) throw c.error;
      if (await step()) return;
      if (performance.now() > end) throw new Error(`waited ${WAIT_MS} ms in vain; got ${c.items.length} items`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, 25);
        c.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };
  return c;
}
