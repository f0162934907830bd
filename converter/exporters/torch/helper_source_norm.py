"""More of `helper_source.py`: batch normalisation."""

# Names of torch, F and nn come from the head of the emitted file.
# ruff: noqa: ANN001, ANN201, F821
# mypy: ignore-errors


class FrozenBatchNorm1d(nn.BatchNorm1d):
    """Batch-norm that normalises by its running statistics in training, too."""

    def forward(self, x):
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class FrozenBatchNorm2d(nn.BatchNorm2d):
    """Batch-norm that normalises by its running statistics in training, too."""

    def forward(self, x):
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class FrozenBatchNorm3d(nn.BatchNorm3d):
    """Batch-norm that normalises by its running statistics in training, too."""

    def forward(self, x):
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def unscaled(norm):
    """A normalising module without `weight`."""
    norm.register_parameter("weight", None)
    return norm


def uncentered(norm):
    """A normalising module without `bias`."""
    norm.register_parameter("bias", None)
    return norm


def biased_batch_norm(self, x):
    """Batch-norm in training whose running variance is that of the batch, without Bessel's correction."""
    count = x.numel() // max(x.shape[1], 1)
    kept = (1 - self.momentum) * self.running_var
    mean, var = self.running_mean.clone(), self.running_var.clone()
    if count == 1:  # a value is its own mean
        mean.lerp_(x.detach().flatten(), self.momentum)
        var = kept
        y = F.batch_norm(x - x, torch.zeros_like(var), torch.ones_like(var), self.weight, self.bias, eps=self.eps)
    else:
        y = F.batch_norm(x, mean, var, self.weight, self.bias, True, self.momentum, self.eps)
        var = kept + (var - kept) * ((count - 1) / count)
    self.num_batches_tracked.add_(1)
    self.running_mean.copy_(mean)
    self.running_var.copy_(var)
    return y


class BiasedBatchNorm1d(nn.BatchNorm1d):
    """Batch-norm whose running variance is that of the batch, without Bessel's correction."""

    def forward(self, x):
        return biased_batch_norm(self, x) if self.training else super().forward(x)


class BiasedBatchNorm2d(nn.BatchNorm2d):
    """Batch-norm whose running variance is that of the batch, without Bessel's correction."""

    def forward(self, x):
        return biased_batch_norm(self, x) if self.training else super().forward(x)


class BiasedBatchNorm3d(nn.BatchNorm3d):
    """Batch-norm whose running variance is that of the batch, without Bessel's correction."""

    def forward(self, x):
        return biased_batch_norm(self, x) if self.training else super().forward(x)


def batch_norm(x, mean, var, axis, training, momentum, eps, unbiased, weight=None, bias=None):
    """(normalised x, next running mean, next running variance), over all axes but `axis`."""
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    others = [i for i in range(x.ndim) if i != axis]
    center, spread = mean, var
    if training:
        center = x.mean(others) if others else x
        squares = (x - center.reshape(shape)).square()
        spread = squares.mean(others) if others else squares
        count = x.numel() // max(x.shape[axis], 1)
        kept = spread * count / max(count - 1, 1) if unbiased else spread
        mean = (1 - momentum) * mean + momentum * center.detach()
        var = (1 - momentum) * var + momentum * kept.detach()
    y = (x - center.reshape(shape)) * torch.rsqrt(spread.reshape(shape) + eps)
    y = y if weight is None else y * weight.reshape(shape)
    return (y if bias is None else y + bias.reshape(shape)), mean, var
