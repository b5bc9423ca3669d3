// Waiting for what is to come: a state of things, or what a client's callbacks bring.
export const WAIT_MS = Number(process.env.WAIT_MS ?? 60000);

/** Asks again and again until `fn` gives something true, and gives that. */
export async function until(what, fn, ms = WAIT_MS) {
  for (const end = performance.now() + ms; ; await new Promise((r) => setTimeout(r, 25))) {
    const v = await fn();
    if (v) return v;
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain for ${what}`);
  }
}

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
