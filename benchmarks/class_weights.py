"""Class weights: calibrated probabilities leave labels alone.

A search over classifiers with class_weight="balanced" on data with 5 % positives, `--seeds`
seeds: recall of the search's labels over that of its best estimator's, and the log loss of
its probabilities over that of the plain ones, both on 5,000 rows that no fit has seen. For
comparison, the recall if labels followed the largest calibrated probability.
"""

from __future__ import annotations

import numpy as np
from _timing import begin, parser, report
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, recall_score
from sklearn.model_selection import train_test_split

from optunasearch import OptunaSearchCV

SEARCHES = {
    "logistic regression": (
        LogisticRegression(class_weight="balanced", max_iter=1000),
        {"C": FloatDistribution(1e-3, 1e2, log=True)},
    ),
    "forest": (
        RandomForestClassifier(50, class_weight="balanced", random_state=0),
        {"min_samples_leaf": IntDistribution(5, 50)},
    ),
}


def main() -> None:
    made = parser(__doc__, rounds=1)
    made.add_argument("--seeds", type=int, default=5)
    args = begin(made)
    for name, (estimator, space) in SEARCHES.items():
        found = []
        for seed in range(1 if args.quick else args.seeds):
            X, y = make_classification(
                7000, 10, n_informative=5, weights=[0.95], flip_y=0.02, random_state=seed
            )
            X, X_test, y, y_test = train_test_split(
                X, y, train_size=2000, stratify=y, random_state=seed
            )
            search = OptunaSearchCV(
                estimator, space, n_trials=10, scoring="balanced_accuracy", random_state=seed
            ).fit(X, y)
            plain, proba = search.best_estimator_, search.predict_proba(X_test)
            found.append(
                (
                    recall_score(y_test, search.predict(X_test)),
                    recall_score(y_test, plain.predict(X_test)),
                    recall_score(y_test, proba.argmax(axis=1)),
                    log_loss(y_test, proba),
                    log_loss(y_test, plain.predict_proba(X_test)),
                )
            )
        recall, plain_recall, by_largest, loss, plain_loss = np.mean(found, axis=0)
        print(f"{name}: recall {recall:.3f}, by the largest probability {by_largest:.3f}")
        report(f"{name}: recall minus plain", abs(recall - plain_recall), 0.0)
        report(f"{name}: log loss over plain", loss / plain_loss, 1.0)


if __name__ == "__main__":
    main()
