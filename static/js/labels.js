/* Where the texts of a chart go. Pure: boxes in pixels in, positions out.

   A text is tried at eight places around its point, then at the same places further away with a line back to it; the
   place that covers least wins. Texts already placed weigh most, then the edge of the plot, then markers, then lines. */
(() => {
  const SIDES = [[1, 0], [1, -1], [-1, 0], [-1, -1], [0, -1], [1, 1], [-1, 1], [0, 1]];
  const REACH = [10, 24, 42, 64];
  const HEIGHT = 15;

  const overlap = (a, b) => Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left))
    * Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
  const outside = (box, plot) => Math.max(0, plot.left - box.left) + Math.max(0, box.right - plot.right)
    + Math.max(0, plot.top - box.top) + Math.max(0, box.bottom - plot.bottom);
  const around = (x, y, size = 6) => ({ left: x - size, right: x + size, top: y - size, bottom: y + size });

  const boxAt = (at, width, [sx, sy], reach) => {
    const diagonal = sx && sy ? .75 : 1;
    const x = at.x + sx * reach * diagonal; const y = at.y + sy * (reach + (sx ? 0 : 2)) * diagonal;
    const left = sx > 0 ? x : sx < 0 ? x - width : x - width / 2;
    return { left, right: left + width, top: y - HEIGHT / 2, bottom: y + HEIGHT / 2 };
  };
  const cost = (box, room) => 40 * room.placed.reduce((sum, other) => sum + overlap(box, other), 0)
    + 200 * outside(box, room.plot) + 6 * room.points.reduce((sum, point) => sum + overlap(box, around(point.x, point.y)), 0)
    + room.lines.reduce((sum, point) => sum + overlap(box, around(point.x, point.y, 3)), 0);

  const candidates = (label) => label.anchors.flatMap((at, rank) => REACH.slice(0, label.anchors.length > 1 ? 1 : REACH.length)
    .flatMap((reach, far) => SIDES.map((side, order) => ({ at, far, box: boxAt(at, label.width, side, reach), bias: order + 60 * far + 4 * rank }))));
  const best = (label, room) => candidates(label).reduce((chosen, one) => {
    const price = cost(one.box, room) + one.bias;
    return chosen && chosen.price <= price ? chosen : { ...one, price };
  }, null);

  /* labels: [{anchors: [{x, y}], width}] · room: {plot, points, lines}; answers [{at, box, far}] in the same order */
  const placeLabels = (labels, room) => {
    const placed = [];
    return labels.map((label) => {
      const chosen = best(label, { ...room, placed });
      placed.push(chosen.box);
      return chosen;
    });
  };
  window.QuorumLabels = { placeLabels };
})();
