"""Depth estimators: clips to clips with inverse depth, one adapter per module. They know no media files and no stereo.

Every estimator is made by `Estimator(settings: EstimatorSettings, info: StreamInfo)`.
"""
