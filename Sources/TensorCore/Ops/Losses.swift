/// mean((a − b)²), shape `[]`.
public func meanSquaredError(_ a: Tensor, _ b: Tensor) -> Tensor {
    precondition(a.shape == b.shape, "meanSquaredError: shapes \(a.shape) and \(b.shape) differ")
    return (a - b).squared().mean()
}

/// mean(|a − b|), shape `[]`.
public func meanAbsoluteError(_ a: Tensor, _ b: Tensor) -> Tensor {
    precondition(a.shape == b.shape, "meanAbsoluteError: shapes \(a.shape) and \(b.shape) differ")
    return (a - b).absolute().mean()
}
