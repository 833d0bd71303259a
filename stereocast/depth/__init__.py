"""Depth estimators: clips to clips with inverse depth. One adapter per file; it knows nothing of files or stereo.

Every estimator is made by `Estimator(settings: EstimatorSettings, info: StreamInfo)`.
"""
