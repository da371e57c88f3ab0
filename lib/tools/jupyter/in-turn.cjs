// @ts-check
'use strict';
/**
 * ZeroMQ ends every five hundredth send or so in the event loop, and throws EBUSY on one that comes before that has
 * happened: such a message waits for its turn. All others go out at once, also from code that keeps the event loop busy.
 */

/**
 * @typedef {{ send(message: any): Promise<void> }} Socket
 * @typedef {{ last: Promise<void>, waiting: number }} Turn
 * @type {WeakMap<Socket, Turn>}
 */
const turns = new WeakMap();

/** @param {Socket} socket @param {any} message @returns {Promise<void>} */
module.exports = function sendInTurn(socket, message) {
  const turn = turns.get(socket) ?? { last: Promise.resolve(), waiting: 0 };
  turns.set(socket, turn);
  if (turn.waiting === 0) {
    try {
      return (turn.last = socket.send(message));
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EBUSY') throw error;
    }
  }
  turn.waiting++;
  return (turn.last = turn.last.then(() => {
    turn.waiting--;
    return socket.send(message);
  }));
};
