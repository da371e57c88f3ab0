/** Runs the body on stock ops, where the fused ones would serve. */
import { engine } from '../lib/tensor/engine';

export async function withStockOps(body: () => Promise<void> | void): Promise<void> {
  const { fused } = engine();
  engine().fused = false;
  try {
    await body();
  } finally {
    engine().fused = fused;
  }
}
