"""Sharded checkpoints, written with h5py alone by what docs/model-format.md says of them."""
import json

import h5py
import numpy as np

# name: (device matrix, tensor map[, opt_shard_step, opt_shard_size]) of w (96,16) on 8 ranks
A_20 = ([2, 1, 4], [1, 0])
A_21 = ([1, 8, 1], [1, 0])
A_22 = ([1, 1, 8], [1, 0])
A_23 = ([2, 2, 2], [1, 0])
A_24 = ([8, 1, 1], [1, 0])
A_25 = ([1, 4, 1, 2], [2, 1])
A_25B = ([2, 1, 4, 1], [1, 0])
A_28 = (*A_20, 4, 2)


def slice_index(rank, shape, dev_matrix, tensor_map, step=0, size=0):
    """The part of a tensor that a rank holds, as slices."""
    at, rest = [], rank
    for extent in reversed(dev_matrix):
        at.insert(0, rest % extent)
        rest //= extent
    index = []
    for extent, entry in zip(shape, tensor_map):
        parts, part = (dev_matrix[-1 - entry], at[-1 - entry]) if entry >= 0 else (1, 0)
        index.append(slice(part * extent // parts, (part + 1) * extent // parts))
    if size:
        length = (index[0].stop - index[0].start) // size
        begin = index[0].start + rank // step % size * length
        index[0] = slice(begin, begin + length)
    return tuple(index)


def write_shard(path, graph, rank, ranks, slices, checkpoint="run 1", **attributes):
    """slices: [(name, array, {attribute: value})]; attributes: replace those of the root."""
    with h5py.File(path, "w") as file:
        file.attrs.update({"format": "tpinfer", "format_version": 1, "rank": rank, "ranks": ranks,
                           "checkpoint": checkpoint, **attributes})
        if graph is not None:
            file["graphs/main"] = json.dumps(graph)
        for name, array, attrs in slices:
            file[f"weights/{name}"] = array
            file[f"weights/{name}"].attrs.update(attrs)


def write_shards(pattern, graph, weights, layouts, ranks, ranks_there=None, offsets=False):
    """One file per rank. pattern: "m{}.h5". layouts: {weight: layout}; the others stay whole.
    offsets: say the place by `offset` instead of the device matrix."""
    for rank in range(ranks) if ranks_there is None else ranks_there:
        slices = []
        for name, array in weights.items():
            if name not in layouts:
                slices.append((name, array, {}))
                continue
            dev_matrix, tensor_map, *opt = layouts[name]
            index = slice_index(rank, array.shape, *layouts[name])
            attrs = {"full_shape": array.shape}
            if offsets:
                attrs["offset"] = [part.start for part in index]
            else:
                attrs.update({"dev_matrix": dev_matrix, "tensor_map": tensor_map})
                attrs.update(zip(("opt_shard_step", "opt_shard_size"), opt))
            slices.append((name, np.ascontiguousarray(array[index]), attrs))
        write_shard(str(pattern).format(rank), graph, rank, ranks, slices)


def write_master(path, graph, weights, layouts, files, **attributes):
    """A master of virtual datasets over `files`: {name in the folder: rank}."""
    with h5py.File(path, "w", libver="latest") as master:
        master.attrs.update({"format": "tpinfer", "format_version": 1, **attributes})
        master["graphs/main"] = json.dumps(graph)
        for name, array in weights.items():
            layout = h5py.VirtualLayout(array.shape, array.dtype)
            for file, rank in files.items():
                index = slice_index(rank, array.shape, *layouts[name])
                shape = [part.stop - part.start for part in index]
                layout[index] = h5py.VirtualSource(file, f"weights/{name}", shape)
            master.create_virtual_dataset(f"weights/{name}", layout)


def many_weights():
    """A model with weights of every kind: cut, transposed, in pieces, shared by two graphs, small,
    scalar, half precision, compressed, unused. Returns (graphs, {name: (array, dataset options)},
    examples); all values are small integers, so that every order of summation gives the same."""
    random = np.random.default_rng(11)

    def integers(*shape, dtype="f4"):
        return random.integers(-2, 3, shape).astype(dtype)

    weights = {
        "up": (integers(24, 40), {}),
        "block/down": (integers(18, 40), {"chunks": (5, 7), "compression": "gzip"}),
        "fused": (integers(18, 30, dtype="f2"), {}),
        "bias": (integers(10, dtype="f8"), {}),
        "shape": (np.array([-1, 2, 5]), {}),
        "scale": (np.float32(2), {}),
        "empty": (np.zeros((0, 4), np.float32), {}),
        "unused": (integers(50, 30, dtype="f4"), {}),
        "few": (integers(3), {}),
    }
    names = {"inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 24]}]}
    first = {**names, "outputs": ["y"], "nodes": [
        {"op": "MatMul", "inputs": ["x", "up"], "outputs": ["h"]},
        {"op": "Gemm", "inputs": ["h", "block/down"], "outputs": ["d"], "attributes": {"transB": 1}},
        {"op": "MatMul", "inputs": ["d", "fused[:,0:10]"], "outputs": ["q"]},
        {"op": "Add", "inputs": ["q", "bias"], "outputs": ["qb"]},
        {"op": "Mul", "inputs": ["qb", "scale"], "outputs": ["qs"]},
        {"op": "Reshape", "inputs": ["qs", "shape"], "outputs": ["y"]}]}
    second = {**names, "outputs": ["z"], "nodes": [
        {"op": "MatMul", "inputs": ["x", "up[:,0:18]"], "outputs": ["u"]},
        {"op": "MatMul", "inputs": ["u", "fused[:,5:30]"], "outputs": ["z"]}]}
    x = integers(4, 24)
    value = {name: np.asarray(array, "f4") for name, (array, _) in weights.items()}
    y = (x @ value["up"] @ value["block/down"].T @ value["fused"][:, :10] + value["bias"]) * 2
    z = x @ value["up"][:, :18] @ value["fused"][:, 5:]
    examples = [{"inputs": {"x": x}, "outputs": {"y": y.reshape(-1, 2, 5)}},
                {"inputs": {"x": x}, "outputs": {"z": z}, "graph": "second", "atol": 0.5}]
    return {"first": first, "second": second}, weights, examples


def write_many(path, write_model):
    """The model of many_weights() in one file, with a bfloat16 weight besides."""
    graphs, weights, examples = many_weights()
    write_model(path, graphs, examples=examples)
    with h5py.File(path, "r+") as file:
        for name, (array, options) in weights.items():
            file.create_dataset(f"weights/{name}", data=array, **options)
        file["weights/brain"] = np.arange(2000, dtype=np.uint16).reshape(40, 50)
        file["weights/brain"].attrs["dtype"] = "bf16"


def sparse_model(path, mebibytes, dtype="f4", transposed=False):
    """A chain of weights of 2**25 elements, all zero, that take no room on the disk."""
    nodes, name = [], "x"
    element = h5py.h5t.py_create(np.dtype(dtype))
    with h5py.File(path, "w") as file:
        file.attrs.update({"format": "tpinfer", "format_version": 1})
        file.create_group("weights")
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        for i in range(mebibytes // (element.get_size() * 32)):
            shape = (4096, 8192) if i % 2 == int(transposed) else (8192, 4096)
            h5py.h5d.create(file["weights"].id, f"w{i}".encode(), element,
                            h5py.h5s.create_simple(shape), creation)
            node = {"op": "MatMul", "inputs": [name, f"w{i}"], "outputs": [f"h{i}"]}
            if transposed:
                node.update({"op": "Gemm", "attributes": {"transB": 1}})
            nodes.append(node)
            name = f"h{i}"
        inputs = [{"name": "x", "dtype": "float32", "shape": [1, 4096]}]
        file["graphs/main"] = json.dumps({"inputs": inputs, "outputs": [name], "nodes": nodes})
